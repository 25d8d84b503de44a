#!/usr/bin/env bash
# Provokes failures and trains healthy recipes; WORKDIR/report.md of each run
# says what the watchdog found. From the root of the repository:
#   experiments/watchdog/sweep.sh [OUT [NAME ...]]
set -euo pipefail
out=${1:-runs/watchdog}
shift || true
names=("$@")
if [ ${#names[@]} = 0 ]; then
  names=(base disc_steps minimax rate few_images collapse
         ring original_gan cgan keras_mlp wgan_gp)
fi
# A small perceptron, seconds a run on an idle core.
small=(--config.generator.widths='(64,128)' --config.discriminator.widths='(128,64)'
       --config.batch_size=32 --config.log_every=10 --config.steps_per_call=10
       --config.train_steps=1500 --config.data.holdout=0.2)
often=("${small[@]}" --config.train_steps=600)
fast=(--config.gen_optimizer.learning_rate=0.02
      --config.disc_optimizer.learning_rate=0.02)
for name in "${names[@]}"; do
  case $name in
    base) run=(keras_mlp.py "${small[@]}") ;;
    disc_steps) run=(keras_mlp.py "${often[@]}" --config.disc_steps=20) ;;
    minimax) run=(keras_mlp.py:loss=minimax "${often[@]}" --config.disc_steps=20) ;;
    rate) run=(keras_mlp.py "${small[@]}" "${fast[@]}") ;;
    few_images) run=(keras_mlp.py "${small[@]}" --config.data.holdout=0.995) ;;
    collapse) run=(keras_mlp.py "${often[@]}" --config.gen_steps=20) ;;
    wgan_gp) run=(wgan_gp.py:network=mlp --config.train_steps=1000
                  --config.log_every=50 --config.data.holdout=0.2) ;;
    *) run=("$name.py" --config.train_steps=3000 --config.log_every=50
            --config.steps_per_call=50 --config.data.holdout=0.2) ;;
  esac
  [ -e "$out/$name/done" ] && continue
  python -m gan_jax.main --config="configs/${run[0]}" "${run[@]:1}" \
    --config.sample_every=0 --config.checkpoint_every=0 --config.eval_every=0 \
    --workdir="$out/$name" || echo "$name: exit status $?"
  touch "$out/$name/done"
done
