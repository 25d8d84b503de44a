#!/usr/bin/env bash
# What goes wrong on a folder of X-rays, what the watchdog calls it, and the
# remedy, on phantoms. From the root of the repository:
#   experiments/xray/story.sh [OUT [NAME ...]]
# Goes on where it was stopped; docs/beyond.md shows the results.
set -euo pipefail
out=${1:-runs/xray}
shift || true
names=("$@")
[ ${#names[@]} = 0 ] && names=(vanishing vanishing_mended collapse
                               collapse_mended few few_mended tiny whole vae)
[ -d "$out/phantoms" ] ||
  python experiments/xray/phantoms.py "$out/phantoms" --count=400 --side=512
none=--config.augment='()'
for name in "${names[@]}"; do
  steps=500 config=configs/xray.py more=() width=--config.discriminator.width=16
  case $name in
    # A discriminator without noise that is updated five times for each step of
    # a generator with the saturating loss, and the recipe's remedies.
    vanishing) config+=:loss=minimax more=("$none" --config.disc_steps=5) ;;
    vanishing_mended) ;;
    # A generator that runs ahead, and minibatch statistics.
    collapse) more=("$none" --config.gen_optimizer.learning_rate=0.004
                    --config.generator.norm=none --config.gen_steps=4) ;;
    collapse_mended) more=(--config.discriminator.minibatch=std) ;;
    # Forty images, and adaptive augmentation.
    few) more=("$none" --config.data.holdout=0.9) steps=1000 ;;
    few_mended) config+=:augment=ada more=(--config.data.holdout=0.9) steps=1000 ;;
    # 28 px, as the first attempt had it, and 128.
    tiny) config+=:size=28 ;;
    whole) config+=:size=128 steps=1000 ;;
    # The autoencoder: nothing to balance, and soft pictures. Its noise of 0.1
    # is too little for 320 images: each has a z of its own, with holes between.
    vae) config=configs/vae.py:conv,likelihood=gaussian,data=folder steps=1500
         width=--config.encoder.width=16
         more=('--config.penalties[0].sigma=0.5' --config.data.labels=none --config.data.channels=1
               --config.data.fit=crop --config.data.resize='(64,64)') ;;
  esac
  [ -e "$out/$name/done" ] && continue
  python -m gan_jax.main --config="$config" --config.data.path="$out/phantoms" \
    --config.train_steps=$steps --config.generator.width=16 "$width" \
    --config.batch_size=16 \
    --config.data.holdout=0.2 --config.log_every=10 --config.steps_per_call=10 \
    --config.sample_every='25%' --config.checkpoint_every='50%' "${more[@]}" \
    --workdir="$out/$name"
  touch "$out/$name/done"
done
