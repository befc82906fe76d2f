"""The state of a training run, and one step of it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from crodino_core.errors import CrodinoError
from crodino_core.labels import LabelSet
from crodino_core.learning import checkpoint, processes, run_pictures
from crodino_core.learning.config import TrainConfig
from crodino_core.learning.methods import Objective, Part, make_method
from crodino_core.learning.models.twin import Architecture
from crodino_core.learning.optimiser import learning_rate_factor, make_optimiser, move_average
from crodino_core.learning.run_log import RunLog
from crodino_core.learning.validate import confusion, mean_iou, predict
from crodino_core.progress import progress_bar
from crodino_core.rgbd_folder import RgbdSample

SHOWN_SAMPLES = 4
"""Validation samples in predictions.png."""


class Trainer:
    """The state of a run: networks, averaged weights, optimiser, step."""

    def __init__(
        self,
        config: TrainConfig,
        labels: LabelSet,
        run: Path,
        device: torch.device | None = None,
        resumed: bool = False,
    ) -> None:
        """Make the networks; nothing is written.

        :param resumed: `load_state` follows, so that what a run starts from is not read.
        :raises UsageError: the settings do not fit each other.
        :raises CrodinoError: what the run starts from, or its teacher, cannot be used.
        """
        self.config = config
        self.labels = labels
        self.run = run
        self.log = RunLog(run)
        self.device = device or processes.choose_device(config.device)
        self.architecture = architecture_of(config, len(labels))
        self.method = make_method(config, labels, self.device)
        twin = self.method.build(self.architecture, None if resumed else config.model.weights)
        if not resumed:
            self.method.start(twin)
        # Convolutions on channels-last tensors are quicker on CPUs and on tensor cores alike.
        twin = twin.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.twin = processes.with_global_batch_norm(twin, self.device)
        self.average = copy.deepcopy(self.twin).requires_grad_(False)
        self.objective = processes.with_mean_gradients(Objective(self.method, self.twin))
        self.optimiser = make_optimiser(self.twin, config.optimiser)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: learning_rate_factor(step, config.optimiser)
        )
        self.step = 0
        self.best = {part.name: 0.0 for part in self.method.parts(self.average) if part.kept}

    def fit(self, batches: Iterator[dict[str, Tensor]], validation: list[RgbdSample]) -> None:
        """Train from the current step to the last."""
        steps = self.config.optimiser.steps
        since: list[dict[str, float]] = []
        with progress_bar() as bar:
            bar.disable = not processes.is_first()
            task = bar.add_task('training', total=steps, completed=self.step)
            for batch in batches:
                losses = self.train_step(batch)
                since.append(losses)
                bar.update(task, advance=1, description=f'loss {sum(losses.values()):.3f}')
                if self.step % self.config.validate_every == 0 or self.step == steps:
                    losses = self._means(since)
                    since.clear()
                    scores = self.validate(validation, losses)
                    # A line that stays, also in the log file of a run without a terminal.
                    if processes.is_first():
                        bar.console.print(self._line(losses, scores), soft_wrap=True)
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
        with self._precision():
            losses = self.objective(batch)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            self._stop({name: value for name, value in losses.items() if not value.isfinite()})
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        for learner in self.method.learners(self.twin):
            norm = nn.utils.clip_grad_norm_(learner.parameters(), settings.clip_norm)
            if not torch.isfinite(norm):
                self._stop({'the norm of the gradient': norm})
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        # A short run should not be averaged with its random start: the decay grows with the step.
        decay = min(settings.ema, (1 + self.step) / (10 + self.step))
        move_average(self.average, self.twin, decay)
        return {name: value.item() for name, value in losses.items()}

    def _stop(self, found: dict[str, Tensor]) -> NoReturn:
        """End the run before a step that would spoil the networks."""
        terms = ', '.join(f'{name} is {value.item()}' for name, value in found.items())
        kept = f'what {self.run} holds of earlier steps is good'
        if not (self.run / checkpoint.LAST).exists():
            kept = 'nothing was kept yet'
        raise CrodinoError(
            f'training stopped at step {self.step}: {terms}; {kept}; a lower '
            'optimiser.learning_rate or precision float32 usually helps, in another run'
        )

    def _means(self, losses: list[dict[str, float]]) -> dict[str, float]:
        """Return the mean of each loss over steps and processes."""
        own = [fmean(step[name] for step in losses) for name in losses[0]]
        means = processes.mean(torch.tensor(own, device=self.device))
        return dict(zip(losses[0], means.tolist(), strict=True))

    def _line(self, losses: dict[str, float], scores: dict[str, float]) -> str:
        found = ', '.join(
            f'{name} {score:.1f} (best {self.best[name]:.1f})'
            for name, score in scores.items()
            if name in self.best
        )
        steps, loss = self.config.optimiser.steps, sum(losses.values())
        return f'step {self.step} of {steps}: loss {loss:.3f}, validation mIoU {found}'

    def validate(self, validation: list[RgbdSample], losses: dict[str, float]) -> dict[str, float]:
        """Score the averaged networks, keep the best of each modality, write the state.

        :param losses: means since the last validation.
        :return: mIoU by network, percent.
        """
        for name, value in self.average.state_dict().items():
            if not value.isfinite().all():
                self._stop({f'the weight {name}': value[~value.isfinite()][0]})
        size = self.config.data.input_size
        parts = self.method.parts(self.average)
        matrices = {}
        for part in parts:
            with self._precision():
                matrices[part.name] = confusion(part.network, part.read, validation, size)
        scores = {name: mean_iou(matrix) for name, matrix in matrices.items()}
        better = [p for p in parts if p.kept and scores[p.name] >= self.best[p.name]]
        self.best |= {part.name: scores[part.name] for part in better}
        state = self.state()
        if not processes.is_first():
            return scores
        for part in better:
            self._save_best(part, scores[part.name])
        try:
            self.log.add(self.step, losses, scores)
            self._draw(parts, matrices, validation)
        except OSError as error:
            raise CrodinoError(
                f'{self.run} cannot be written: {error}; make room and '
                f'{checkpoint.how_to_go_on(self.run)}'
            ) from error
        checkpoint.save(self.run / checkpoint.LAST, state)
        return scores

    def _save_best(self, part: Part, score: float) -> None:
        facts = {
            'step': self.step,
            'validation_miou': score,
            'name': self.config.name,
            'input_size': list(self.config.data.input_size),
        }
        path = self.run / checkpoint.best_name(part.name)
        checkpoint.save_best(path, part.network, self.architecture, self.labels, facts)

    def _draw(
        self, parts: list[Part], matrices: dict[str, Tensor], validation: list[RgbdSample]
    ) -> None:
        run_pictures.draw_curves(self.run)
        counts = {name: matrix.cpu().numpy() for name, matrix in matrices.items()}
        run_pictures.draw_confusion(self.run, self.step, counts, self.labels)
        shown = validation[:: max(1, len(validation) // SHOWN_SAMPLES)][:SHOWN_SAMPLES]
        masks = {}
        for part in parts:
            with self._precision():
                mask = predict(part.network, part.read, shown, self.config.data.input_size)
            masks[part.name] = mask.byte().cpu().numpy()
        run_pictures.draw_predictions(self.run, shown, masks, self.labels)

    def _precision(self) -> torch.autocast:
        """Compute as configured; validation sees what an engine of that precision computes."""
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
            'architecture': dataclasses.asdict(self.architecture),
            'labels': self.labels.to_list(),
            'random': processes.collected(_random_state(self.device)),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up the state of an earlier run.

        :raises CrodinoError: it is of another architecture, of other classes or damaged.
        """
        last = self.run / checkpoint.LAST
        checkpoint.check_architecture(state, self.architecture, last)
        if 'labels' in state:  # earlier versions did not say
            found = LabelSet.from_list(state['labels'], str(last))
            checkpoint.check_labels(found, self.labels, last)
        checkpoint.load_weights(self.twin, state['twin'], last)
        checkpoint.load_weights(self.average, state['average'], last)
        try:
            self._load_progress(state)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise CrodinoError(
                f'{last} does not hold the state of such a run: {" ".join(str(error).split())}; '
                'take a copy of it or start the run again'
            ) from error

    def _load_progress(self, state: dict[str, Any]) -> None:
        self.step = int(state['step'])
        self.optimiser.load_state_dict(state['optimiser'])
        self.schedule.load_state_dict(state['schedule'])
        self.best = {name: float(state['best'][name]) for name in self.best}
        of_process = state['random'][processes.rank() :]
        # Where there are more processes than before, the others go on with their own dropout.
        if of_process:
            torch.set_rng_state(of_process[0]['cpu'])
            if self.device.type == 'cuda' and 'cuda' in of_process[0]:
                torch.cuda.set_rng_state(of_process[0]['cuda'], self.device)


def architecture_of(config: TrainConfig, classes: int) -> Architecture:
    """Return the architecture a configuration asks for."""
    model = config.model
    return Architecture(
        classes=classes,
        backbone=model.backbone,
        split=model.split,
        split_channels=model.split_channels,
        decoder_channels=model.decoder_channels,
        separable=model.separable,
        dropout=model.dropout,
        depth_range=model.depth_range,
    )


def _random_state(device: torch.device) -> dict[str, Tensor]:
    state = {'cpu': torch.get_rng_state()}
    if device.type == 'cuda':
        state['cuda'] = torch.cuda.get_rng_state(device)
    return state
