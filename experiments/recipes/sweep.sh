#!/usr/bin/env bash
# Trains recipes 1-7 one after the other, a line of results.jsonl for each.
#   experiments/recipes/sweep.sh [OUT]       from the root of the repository
set -euo pipefail
out=${1:-runs/recipes}
evaluator=evaluator=frechet
recipes=(
  original_gan.py:$evaluator
  keras_mlp.py:$evaluator
  critic_mlp.py:$evaluator
  cgan.py:$evaluator
  cgan.py:game=critic,$evaluator
  pooling_cnn.py:$evaluator
  dcgan.py:$evaluator
  wgan.py:$evaluator
  wgan_gp.py:$evaluator
)
if [ -d /usr/share/datasets/fashion-mnist ]; then
  recipes+=(
    dcgan.py:data=fashion_mnist,$evaluator
    wgan.py:data=fashion_mnist,$evaluator
    wgan_gp.py:data=fashion_mnist,$evaluator
  )
fi
for recipe in "${recipes[@]}"; do
  name=${recipe/.py/}
  name=${name/$evaluator/}
  name=$(tr ':,=' '--_' <<<"$name" | sed 's/-*$//')
  [ -e "$out/$name/done" ] && continue
  start=$SECONDS
  python -m gan_jax.main --config="configs/$recipe" --workdir="$out/$name"
  python experiments/recipes/summarise.py "$out/$name" $((SECONDS - start)) \
    | tee -a "$out/results.jsonl"
  touch "$out/$name/done"
done
