"""The training loop."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from crodino_core.errors import CrodinoError, UsageError
from crodino_core.labels import LabelSet
from crodino_core.learning import checkpoint, run_folder
from crodino_core.learning.config import TrainConfig
from crodino_core.learning.data.samples import load_source, training_batches
from crodino_core.learning.methods import make_method
from crodino_core.learning.models.twin import Architecture
from crodino_core.learning.optimiser import learning_rate_factor, make_optimiser
from crodino_core.learning.run_log import RunLog, forget_rows_after
from crodino_core.learning.validate import mean_iou
from crodino_core.progress import progress_bar
from crodino_core.rgbd_folder import RgbdFolder, RgbdSample


def train(config: TrainConfig, run: Path, resume: bool = False) -> dict[str, float]:
    """Train both networks together and keep the best of each modality.

    :param run: folder for config.yaml, environment.yaml, metrics.csv, curves.png, TensorBoard
        events, last.pt, best_rgb.pt and best_depth.pt.
    :param resume: go on from `last.pt`; the result is that of an unbroken run.
    :return: best validation mIoU, percent, of each modality (or of the fusion network).
    :raises CrodinoError: the folder holds a run (or none to resume), the data cannot be read, or
        the loss is not finite.
    """
    labels = RgbdFolder(config.data.validation.path).labels
    if resume:
        state = checkpoint.load(run / checkpoint.LAST)
        run_folder.check_same_config(run, config)
    else:
        run_folder.begin(run, config)
    torch.manual_seed(config.seed)
    trainer = Trainer(config, labels, run)
    if resume:
        trainer.load_state(state)
        forget_rows_after(run, trainer.step)
    batches = training_batches(config, labels, trainer.step)
    validation = load_source(config.data.validation, labels, config.data.input_size)
    # Adam's second moments of weights that hardly move are denormal, and slow, on a CPU.
    torch.set_flush_denormal(True)
    try:
        trainer.fit(batches, validation)
    finally:
        torch.set_flush_denormal(False)
    return dict(trainer.best)


class Trainer:
    """The state of a run: networks, averaged weights, optimiser, step."""

    def __init__(self, config: TrainConfig, labels: LabelSet, run: Path) -> None:
        self.config = config
        self.labels = labels
        self.run = run
        self.log = RunLog(run)
        self.device = _device(config.device)
        model = config.model
        self.architecture = Architecture(
            classes=len(labels),
            backbone=model.backbone,
            split=model.split,
            split_channels=model.split_channels,
            decoder_channels=model.decoder_channels,
            separable=model.separable,
            depth_range=model.depth_range,
        )
        self.method = make_method(config, labels, self.device)
        twin = self.method.build(self.architecture, model.weights)
        # Convolutions on channels-last tensors are quicker on CPUs and on tensor cores alike.
        self.twin = twin.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.twin).requires_grad_(False)
        self.optimiser = make_optimiser(self.twin, config.optimiser)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: learning_rate_factor(step, config.optimiser)
        )
        self.step = 0
        self.best = {part.name: 0.0 for part in self.method.parts(self.average) if part.kept}

    def fit(self, batches: Iterator[dict[str, Tensor]], validation: list[RgbdSample]) -> None:
        """Train from the current step to the last."""
        steps = self.config.optimiser.steps
        with progress_bar() as bar:
            task = bar.add_task('training', total=steps, completed=self.step)
            for batch in batches:
                losses = self.train_step(batch)
                best = ' '.join(f'{m} {score:.1f}' for m, score in self.best.items())
                text = f'training: loss {sum(losses.values()):.3f}, best mIoU {best}'
                bar.update(task, advance=1, description=text)
                if self.step % self.config.validate_every == 0 or self.step == steps:
                    self.validate(validation, losses)
        self.log.close()

    def train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Take one optimiser step; return the losses by name."""
        self.twin.train()
        batch = {
            name: value.to(self.device, non_blocking=True)
            if value.ndim != 4
            else value.to(self.device, non_blocking=True, memory_format=torch.channels_last)
            for name, value in batch.items()
        }
        settings = self.config.optimiser
        if settings.precision == 'bfloat16':
            # Autocast begins at the first convolution, an engine in bfloat16 at the metres.
            batch['depth'] = batch['depth'].bfloat16().float()
        with self._precision():
            losses = self.method.losses(self.twin, batch)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            self._stop({name: value for name, value in losses.items() if not value.isfinite()})
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(self.twin.parameters(), settings.clip_norm)
        if not torch.isfinite(norm):
            self._stop({'the norm of the gradient': norm})
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        self._update_average()
        return {name: value.item() for name, value in losses.items()}

    def _stop(self, found: dict[str, Tensor]) -> NoReturn:
        """End the run before a step that would spoil the networks."""
        terms = ', '.join(f'{name} is {value.item()}' for name, value in found.items())
        raise CrodinoError(
            f'training stopped at step {self.step}: {terms}; what {self.run} holds of earlier '
            'steps is good; a lower optimiser.learning_rate or precision float32 usually helps'
        )

    def validate(self, validation: list[RgbdSample], losses: dict[str, float]) -> None:
        """Score the averaged networks, keep the best of each modality, write the state."""
        scores = {}
        for part in self.method.parts(self.average):
            with self._precision():
                score = mean_iou(part.network, part.read, validation, self.config.data.input_size)
            scores[part.name] = score
            if part.kept and score >= self.best[part.name]:
                self.best[part.name] = score
                facts = {'step': self.step, 'validation_miou': score, 'name': self.config.name}
                checkpoint.save_best(
                    self.run / checkpoint.best_name(part.name), part.network, self.architecture,
                    self.labels, facts | {'input_size': list(self.config.data.input_size)},
                )  # fmt: skip
        self.log.add(self.step, losses, scores)
        checkpoint.save(self.run / checkpoint.LAST, self.state())

    def _precision(self) -> torch.autocast:
        """Compute as configured; what is validated is what will be deployed."""
        return torch.autocast(
            self.device.type,
            torch.bfloat16,
            enabled=self.config.optimiser.precision == 'bfloat16',
        )

    def state(self) -> dict[str, Any]:
        """Everything an exact resume needs."""
        return {
            'step': self.step,
            'twin': self.twin.state_dict(),
            'average': self.average.state_dict(),
            'optimiser': self.optimiser.state_dict(),
            'schedule': self.schedule.state_dict(),
            'best': dict(self.best),
            'random': torch.get_rng_state(),
            'random_cuda': torch.cuda.get_rng_state_all() if self.device.type == 'cuda' else [],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up the state of an earlier run.

        :raises CrodinoError: it is of another architecture.
        """
        last = self.run / checkpoint.LAST
        checkpoint.load_weights(self.twin, state['twin'], last)
        checkpoint.load_weights(self.average, state['average'], last)
        self.step = state['step']
        self.optimiser.load_state_dict(state['optimiser'])
        self.schedule.load_state_dict(state['schedule'])
        self.best = dict(state['best'])
        torch.set_rng_state(state['random'])
        if self.device.type == 'cuda' and state.get('random_cuda'):
            torch.cuda.set_rng_state_all(state['random_cuda'])

    @torch.no_grad()
    def _update_average(self) -> None:
        # A short run should not be averaged with its random start: the decay grows with the step.
        decay = min(self.config.optimiser.ema, (1 + self.step) / (10 + self.step))
        averaged, current = self.average.state_dict(), self.twin.state_dict()
        floats = [name for name, value in averaged.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [averaged[name] for name in floats], [current[name] for name in floats], 1 - decay
        )


def _device(name: str) -> torch.device:
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f'the device {name!r} cannot be used: {error}; auto, cpu or cuda were expected'
        ) from error
    return torch.device(name)
