#!/usr/bin/env bash
# Trains recipes 1-7 one after the other, a line of results.jsonl for each, and
# goes on where it was stopped. From the root of the repository:
#   experiments/recipes/sweep.sh [OUT [CONFIG ...]]     e.g. cgan:game=critic
set -euo pipefail
out=${1:-runs/recipes}
shift || true
recipes=("$@")
if [ ${#recipes[@]} = 0 ]; then
  recipes=(original_gan keras_mlp critic_mlp cgan cgan:game=critic pooling_cnn
           pooling_cnn:digit=4 dcgan wgan wgan_gp)
  if [ -d /usr/share/datasets/fashion-mnist ]; then
    recipes+=({dcgan,wgan,wgan_gp}:data=fashion_mnist)
  fi
fi
for recipe in "${recipes[@]}"; do
  name=$(sed 's|[:,]|-|g; s|=|_|g' <<<"$recipe")
  case $recipe in
    *:*) config=configs/${recipe/:/.py:},evaluator=scores ;;
    *) config=configs/$recipe.py:evaluator=scores ;;
  esac
  case $recipe in
    *digit=*) config=${config/,evaluator=scores/} ;;  # too few for its draws
  esac
  [ -e "$out/$name/done" ] && continue
  start=$SECONDS
  python -m gan_jax.main --config="$config" --workdir="$out/$name"
  python experiments/recipes/summarise.py "$out/$name" $((SECONDS - start)) \
    | tee -a "$out/results.jsonl"
  touch "$out/$name/done"
done
