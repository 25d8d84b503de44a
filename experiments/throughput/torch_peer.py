"""The networks and updates of the benchmark in PyTorch, for comparison only.

Written as a careful PyTorch user would: channels_last, the fused Adam, fakes
reused by the generator's update as in PyTorch's own DCGAN example, no weight
gradient computed that no update uses, data resident on the device, the loss
read once a call. On CUDA also cudnn.benchmark and TF32, and on request the
whole step as one CUDA graph, which waits for no launches.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

LATENT = 100
WARM_UP = 3  # steps before a capture, as in PyTorch's notes on CUDA graphs


def make(case: str, images: np.ndarray, *, batch_size: int, width: int,
         device: str, dtype: str, compile_networks: bool, graph: bool):
  """The same training as gan_jax's.

  Args:
    case: 'dcgan32', 'dcgan64', 'mlp' or 'wgan_gp32'.
    images: uint8 [N, H, W, C].
    batch_size: B.
    width: of a DCGAN's layer of most pixels.
    device: 'cpu' or 'cuda'.
    dtype: 'float32', or 'bfloat16' for autocast.
    compile_networks: torch.compile the networks; not the critic of wgan_gp32,
      because torch.compile has no second derivatives.
    graph: capture a step, with its gather, updates and optimisers, as one CUDA
      graph and replay it; 'cuda' only.

  Returns:
    indices int64 [K, disc_steps, B] -> loss, after K steps; its attribute
    num_parameters counts those of both networks.
  """
  torch.manual_seed(0)
  if device == 'cuda':
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True
  mlp, penalised = case == 'mlp', case == 'wgan_gp32'
  gen, disc = _mlps() if mlp else _dcgan(
      *images.shape[2:], not penalised, width)
  gen, disc = (net.to(device, memory_format=torch.channels_last)
               for net in (gen, disc))
  rates = dict(lr=1e-4, betas=(0.0, 0.9)) if penalised else dict(
      lr=2e-4, betas=(0.5, 0.999))
  # A graph cannot ask the host for the number of the step: capturable.
  adams = [torch.optim.Adam(net.parameters(), fused=True, capturable=graph,
                            **rates) for net in (gen, disc)]
  if compile_networks:
    gen = torch.compile(gen)
    disc = disc if penalised else torch.compile(disc)
  count = sum(p.numel() for net in (gen, disc) for p in net.parameters())
  data = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(
      memory_format=torch.channels_last).to(device)
  update = _wgan_gp_step if penalised else _gan_step
  smoothing = 0.1 if mlp else 0.0
  # Without the cache of cast weights, which a graph would not fill anew.
  autocast = torch.autocast(device, torch.bfloat16, cache_enabled=not graph,
                            enabled=dtype == 'bfloat16')

  def latent():
    return torch.randn(batch_size, LATENT, device=device)

  def eager(index):
    real = [data[i].float() * (2 / 255) - 1 for i in index]
    return update(gen, disc, adams, real, latent, autocast, smoothing)

  step = eager
  if graph:
    step = _captured(eager, adams, torch.zeros(
        (5 if penalised else 1, batch_size), dtype=torch.int64, device=device))

  def run(indices):
    for index in torch.from_numpy(indices).to(device):
      loss = step(index)
    return loss.item()

  run.num_parameters = count
  return run


def _captured(step, adams, index):
  """The step as one CUDA graph, of the fixed indices `index` [disc_steps, B].

  Tensors that live from step to step (parameters, moments, running statistics)
  are made before, the gradients within. The default generator of random numbers
  is known to the capture, so that each replay draws others.
  """
  stream = torch.cuda.Stream()
  stream.wait_stream(torch.cuda.current_stream())
  with torch.cuda.stream(stream):
    for _ in range(WARM_UP):  # cuDNN chooses its algorithms here.
      step(index)
  torch.cuda.current_stream().wait_stream(stream)
  for adam in adams:
    adam.zero_grad(set_to_none=True)
  graph = torch.cuda.CUDAGraph()
  # JAX's threads share the process and may call CUDA meanwhile: thread_local.
  with torch.cuda.graph(graph, stream=stream,
                        capture_error_mode='thread_local'):
    loss = step(index)

  def replay(new):
    index.copy_(new)
    graph.replay()
    return loss

  return replay


def _gan_step(gen, disc, adams, real, latent, autocast, smoothing):
  gen_adam, disc_adam = adams
  with autocast:
    fake = gen(latent())
    real_logits, fake_logits = disc(real[0]), disc(fake.detach())
  real_logits, fake_logits = real_logits.float(), fake_logits.float()
  loss = (F.softplus(-real_logits) + smoothing * real_logits
          + F.softplus(fake_logits)).mean()
  disc_adam.zero_grad()
  loss.backward()
  disc_adam.step()

  disc.requires_grad_(False)
  with autocast:
    logits = disc(fake)
  gen_adam.zero_grad()
  F.softplus(-logits.float()).mean().backward()
  gen_adam.step()
  disc.requires_grad_(True)
  return loss.detach()


def _wgan_gp_step(gen, disc, adams, real, latent, autocast, smoothing):
  del smoothing
  gen_adam, disc_adam = adams
  for x in real:
    with autocast:
      with torch.no_grad():
        fake = gen(latent()).float()
      alpha = torch.rand(len(x), 1, 1, 1, device=x.device)
      points = (alpha * x + (1 - alpha) * fake).requires_grad_()
      loss = disc(fake).float().mean() - disc(x).float().mean()
      slope, = torch.autograd.grad(disc(points).float().sum(), points,
                                   create_graph=True)
    norm = torch.sqrt(slope.float().square().sum((1, 2, 3)) + 1e-10)
    disc_adam.zero_grad()
    (loss + 10 * (norm - 1).square().mean()).backward()
    disc_adam.step()

  disc.requires_grad_(False)
  with autocast:
    logits = disc(gen(latent()))
  gen_adam.zero_grad()
  (-logits.float().mean()).backward()
  gen_adam.step()
  disc.requires_grad_(True)
  return loss.detach()


def _mlps():
  def leaky(i, o):
    return [nn.Linear(i, o), nn.LeakyReLU(0.2)]

  def hidden(i, o):
    # torch's momentum is 1 minus the field's.
    return [*leaky(i, o), nn.BatchNorm1d(o, momentum=0.2)]

  gen = nn.Sequential(*hidden(LATENT, 128), *hidden(128, 256),
                      *hidden(256, 512), nn.Linear(512, 784), nn.Tanh(),
                      nn.Unflatten(1, (1, 28, 28)))
  disc = nn.Sequential(nn.Flatten(), *leaky(784, 512), *leaky(512, 256),
                       *leaky(256, 128), nn.Linear(128, 1))
  return gen, disc


def _dcgan(size, channels, norm_in_disc, width):
  """Radford et al. 2016: 4x4 kernels of stride 2, from or to 4x4."""
  halvings = int(math.log2(size)) - 2
  widths = [width * 2 ** i for i in range(halvings)]
  gen = [nn.ConvTranspose2d(LATENT, widths[-1] * 1, 4, bias=False),
         nn.BatchNorm2d(widths[-1]), nn.ReLU()]
  for o, i in reversed(list(zip(widths, widths[1:], strict=False))):
    gen += [nn.ConvTranspose2d(i, o, 4, 2, 1, bias=False), nn.BatchNorm2d(o),
            nn.ReLU()]
  gen += [nn.ConvTranspose2d(width, channels, 4, 2, 1), nn.Tanh()]
  disc = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
  for i, o in zip(widths, widths[1:], strict=False):
    disc += [nn.Conv2d(i, o, 4, 2, 1, bias=not norm_in_disc)]
    disc += [nn.BatchNorm2d(o)] if norm_in_disc else []
    disc += [nn.LeakyReLU(0.2)]
  disc += [nn.Conv2d(widths[-1], 1, 4), nn.Flatten(0)]
  return (nn.Sequential(nn.Unflatten(1, (LATENT, 1, 1)), *gen),
          nn.Sequential(*disc))
