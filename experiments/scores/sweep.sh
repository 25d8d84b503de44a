#!/usr/bin/env bash
# The recipes with three seeds each, scored at their end, and the leaderboard:
#   experiments/scores/sweep.sh [DATA] [OUT]       mnist10k or fashion_mnist
# Goes on where it was stopped. STEPS are fewer than the recipes' own.
set -euo pipefail
data=${1:-mnist10k}
out=${2:-runs/scores/$data}
here=$(dirname "$0")
while read -r recipe steps; do
  choice=${recipe#*:}
  [ "$choice" = "$recipe" ] && choice='' || choice=$choice,
  "$here/../sweep.sh" --out="$out/${recipe//[:=]/-}" --jobs="${JOBS:-1}" \
    --config="configs/${recipe%%:*}.py:${choice}data=$data,evaluator=scores" \
    --config.train_steps="$steps" --config.eval_every='100%' \
    '--config.evaluators[0].num_samples=5000' \
    --config.sample_every='25%' --config.checkpoint_every='50%' \
    seed=0,1,2 < /dev/null
done <<'RECIPES'
original_gan 12000
keras_mlp 12000
cgan 12000
cgan:game=critic 40000
critic_mlp 40000
dcgan 15000
dcgan:paper 1000
wgan_gp 300
wgan 400
pooling_cnn 300
RECIPES
python -m gan_jax.main --mode=compare "$out/*/*" --out="$out/scores.md"
