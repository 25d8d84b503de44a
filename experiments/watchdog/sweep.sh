#!/usr/bin/env bash
# Provokes failures and trains healthy recipes; WORKDIR/report.md of each run
# says what the watchdog found. From the root of the repository:
#   experiments/watchdog/sweep.sh [OUT [NAME ...]]
set -euo pipefail
out=${1:-runs/watchdog}
shift || true
names=("$@")
if [ ${#names[@]} = 0 ]; then
  names=(base disc_steps minimax rate few_images gen_steps
         memorise collapse momentum
         ring original_gan cgan keras_mlp wgan_gp)
fi
# A small perceptron, seconds a run on an idle core.
small=(--config.generator.widths='(64,128)' --config.discriminator.widths='(128,64)'
       --config.batch_size=32 --config.log_every=10 --config.steps_per_call=10
       --config.train_steps=1500 --config.data.holdout=0.2)
often=("${small[@]}" --config.train_steps=600)
fast=(--config.gen_optimizer.learning_rate=0.02
      --config.disc_optimizer.learning_rate=0.02)
# Scored by the classes that are drawn.
classes=(keras_mlp.py:evaluator=scores "${small[@]}" --config.eval_every=300
         --config.generator.norm=none
         "--config.evaluators[0].metrics=('classes',)"
         '--config.evaluators[0].num_samples=1000')
for name in "${names[@]}"; do
  unscored=--config.eval_every=0
  case $name in
    base) run=(keras_mlp.py "${small[@]}") ;;
    disc_steps) run=(keras_mlp.py "${often[@]}" --config.disc_steps=20) ;;
    minimax) run=(keras_mlp.py:loss=minimax "${often[@]}" --config.disc_steps=20) ;;
    rate) run=(keras_mlp.py "${small[@]}" "${fast[@]}") ;;
    few_images) run=(keras_mlp.py "${small[@]}" --config.data.holdout=0.995) ;;
    gen_steps) run=(keras_mlp.py "${often[@]}" --config.gen_steps=20) ;;
    memorise) run=(keras_mlp.py:evaluator=scores --config.batch_size=32
                   --config.data.holdout=0.995 --config.train_steps=6000
                   --config.log_every=50 --config.steps_per_call=50
                   --config.eval_every=500
                   '--config.evaluators[0].extractor.name=random'
                   '--config.evaluators[0].num_samples=1000'
                   '--config.evaluators[0].num_real=50'
                   "--config.evaluators[0].metrics=('authenticity','ms_ssim')")
              unscored= ;;
    collapse) run=("${classes[@]}" --config.gen_steps=4
                   --config.gen_optimizer.learning_rate=0.002) unscored= ;;
    momentum) run=("${classes[@]}" --config.gen_optimizer.b1=0.95
                   --config.gen_optimizer.learning_rate=0.004
                   --config.disc_optimizer.b1=0.95
                   --config.disc_optimizer.learning_rate=0.004) unscored= ;;
    wgan_gp) run=(wgan_gp.py:network=mlp --config.train_steps=1000
                  --config.log_every=50 --config.data.holdout=0.2) ;;
    *) run=("$name.py" --config.train_steps=3000 --config.log_every=50
            --config.steps_per_call=50 --config.data.holdout=0.2) ;;
  esac
  [ -e "$out/$name/done" ] && continue
  python -m gan_jax.main --config="configs/${run[0]}" "${run[@]:1}" \
    --config.sample_every=0 --config.checkpoint_every=0 $unscored \
    --workdir="$out/$name" || echo "$name: exit status $?"
  touch "$out/$name/done"
done
