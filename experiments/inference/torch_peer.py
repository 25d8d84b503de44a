"""The jobs of `benchmark.py` in PyTorch, as plain loops.

An image after the other, as the published programs of AnoGAN and f-AnoGAN have
it, or with as many images at a time as gan_jax takes (`together`).
"""

import math

import torch
from torch import nn


def mlp(sizes, last):
  """Dense layers with tanh between."""
  layers = []
  for before, after in zip(sizes, sizes[1:], strict=False):
    layers += [nn.Linear(before, after), nn.Tanh()]
  return nn.Sequential(*layers[:-1], last)


def generator(size=24, width=24):
  """DCGAN's generator for 28 px, batch norm of running statistics."""
  return nn.Sequential(
      nn.Linear(size, 16 * 4 * width, bias=False),
      nn.Unflatten(1, (4 * width, 4, 4)), nn.BatchNorm2d(4 * width), nn.ReLU(),
      nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 2, 1, bias=False),
      nn.BatchNorm2d(2 * width), nn.ReLU(),
      nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
      nn.BatchNorm2d(width), nn.ReLU(),
      nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Sigmoid())


def features(width=24):
  """DCGAN's discriminator for 28 px, without norm and last layer."""
  return nn.Sequential(
      nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2),
      nn.Conv2d(width, 2 * width, 4, 2, 1), nn.LeakyReLU(0.2),
      nn.Conv2d(2 * width, 4 * width, 4, 2, 2), nn.LeakyReLU(0.2),
      nn.Flatten())


def frozen(network):
  """The network, that only draws."""
  return network.eval().requires_grad_(False)


def parts(count, together):
  """Slices of `together` examples."""
  return [slice(i, i + together) for i in range(0, count, together)]


def invert(draw, x, *, size, together, starts=4, candidates=256, steps=200):
  """`gan_jax.inference.invert` of x [N, 1, 28, 28]: errors [N]."""
  found = []
  for rows in parts(len(x), together):
    some = x[rows]
    count = len(some)
    u = torch.randn(count, candidates, size)
    with torch.no_grad():
      made = draw(u.reshape(-1, size)).reshape(count, candidates, -1)
      loss = ((made - some.reshape(count, 1, -1)) ** 2).sum(2) + 0.01 * (
          u ** 2).sum(2)
    best = loss.topk(starts, largest=False).indices
    u = u.gather(1, best[..., None].expand(-1, -1, size)).reshape(-1, size)
    u.requires_grad_()
    wanted = some.repeat_interleave(starts, 0)
    optimizer = torch.optim.Adam([u], lr=0.1)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
      optimizer.zero_grad()
      loss = ((draw(u) - wanted) ** 2).sum() + 0.01 * (u ** 2).sum()
      loss.backward()
      optimizer.step()
      rate.step()
    with torch.no_grad():
      error = ((draw(u) - wanted) ** 2).flatten(1).mean(1)
    found.append(error.reshape(count, starts).min(1).values)
  return torch.cat(found)


def f_anogan(draw, encode, judge, x, *, together):
  """`gan_jax.inference.f_anogan`: scores [N]."""
  found = []
  with torch.no_grad():
    for rows in parts(len(x), together):
      some = x[rows]
      made = draw(encode(some))
      found.append(((made - some) ** 2).flatten(1).mean(1)
                   + ((judge(made) - judge(some)) ** 2).mean(1))
  return torch.cat(found)


def ais(draw, x, *, size, chains, temperatures, together, leapfrogs=10,
        sigma=0.2, scouts=8):
  """`gan_jax.inference.log_density` of x [N, D]: [N]."""
  b = torch.sigmoid(torch.linspace(-4, 4, temperatures + 1))
  b = ((b - b[0]) / (b[-1] - b[0])).tolist()

  def fit(u, wanted):
    u = u.detach().requires_grad_()
    value = (-((draw(u) - wanted) ** 2).sum(1) / (2 * sigma ** 2)
             - wanted.shape[1] * math.log(sigma * math.sqrt(2 * math.pi)))
    return value.detach(), torch.autograd.grad(value.sum(), u)[0]

  def transit(u, beta, step, wanted):
    value, slope = fit(u, wanted)
    first = value
    momentum = torch.randn_like(u)
    before = (beta * value - 0.5 * (u ** 2).sum(1)
              - 0.5 * (momentum ** 2).sum(1))
    new = u
    for _ in range(leapfrogs):
      momentum = momentum + 0.5 * step * (beta * slope - new)
      new = new + step * momentum
      value, slope = fit(new, wanted)
      momentum = momentum + 0.5 * step * (beta * slope - new)
    after = (beta * value - 0.5 * (new ** 2).sum(1)
             - 0.5 * (momentum ** 2).sum(1))
    accepted = (after - before).clamp(max=0).exp()
    return torch.where((torch.rand_like(accepted) < accepted)[:, None], new,
                       u), first, accepted

  found = []
  for rows in parts(len(x), together):
    some = x[rows]
    count = len(some)
    wanted = some.repeat_interleave(scouts, 0)
    u, step = torch.randn(count * scouts, size), torch.full((count,), 0.1)
    steps = []
    for beta in b[1:]:
      steps.append(step)
      u, _, accepted = transit(u, beta, step.repeat_interleave(scouts)[:, None],
                               wanted)
      step = (step * (0.1 * (accepted.reshape(count, scouts).mean(1) - 0.8)
                      ).exp()).clamp(1e-4, 0.5)
    wanted = some.repeat_interleave(chains, 0)
    u, weight = torch.randn(count * chains, size), torch.zeros(count * chains)
    for before, beta, step in zip(b, b[1:], steps, strict=False):
      u, value, _ = transit(u, beta, step.repeat_interleave(chains)[:, None],
                            wanted)
      weight += (beta - before) * value
    found.append(weight.reshape(count, chains).logsumexp(1) - math.log(chains))
  return torch.cat(found)
