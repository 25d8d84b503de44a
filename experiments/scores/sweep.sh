#!/usr/bin/env bash
# The recipes with three seeds each, scored at their end, and the leaderboard:
#   experiments/scores/sweep.sh [DATA [OUT [RECIPE ...]]]
#   experiments/scores/sweep.sh mnist10k runs/scores/digits sngan:small
# DATA: mnist10k or fashion_mnist. Goes on where it was stopped. The steps are
# the recipes' own on digits, but for cgan, critic_mlp and unrolled.
set -euo pipefail
data=${1:-mnist10k}
out=${2:-runs/scores/$data}
shift $(($# < 2 ? $# : 2))
here=$(dirname "$0")
while read -r recipe steps flags; do
  [ $# = 0 ] || [[ " $* " = *" $recipe "* ]] || continue
  choice=${recipe#*:}
  [ "$choice" = "$recipe" ] && choice='' || choice=$choice,
  "$here/../sweep.sh" --out="$out/${recipe//[:=,]/-}" --jobs="${JOBS:-1}" \
    --config="configs/${recipe%%:*}.py:${choice}data=$data,evaluator=scores" \
    --config.train_steps="$steps" --config.eval_every='100%' \
    '--config.evaluators[0].num_samples=5000' \
    --config.sample_every='25%' --config.checkpoint_every='50%' \
    ${flags:+"$flags"} seed=0,1,2 < /dev/null
done <<RECIPES
original_gan 20000
keras_mlp 12000
cgan 12000
cgan:game=critic 40000
critic_mlp 40000
dcgan 15000
dcgan:paper 4000
wgan_gp 2000
wgan 4000
pooling_cnn 2400
acgan:small 5000
infogan:small 5000
lsgan:small 5000
dragan:small 5000
pacgan:small 5000
rpgan:small 5000
unrolled 1500
sngan:small 4000
sagan:small 4000
biggan:small 4000
biggan:deep,small 6000
projected:small 5000 --config.discriminator.weights=${WEIGHTS:-}
transformer:small 4000
r3gan:small 3000 --config.data.pad=(32,32)
stylegan2:small 12000 --config.data.pad=(32,32)
RECIPES
python -m gan_jax.main --mode=compare "$out/*/*" --out="$out/scores.md"
