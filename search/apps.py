from __future__ import annotations

from django.apps import AppConfig

from devices.runs.registry import RunKind, register


class SearchConfig(AppConfig):
    """Spaces, predictors, searches and trained models."""

    name = "search"

    def ready(self) -> None:
        register(
            RunKind(
                name="dataset",
                steps={
                    "dataset.read": "search.steps.dataset.read",
                    "dataset.inspect": "search.steps.dataset.inspect",
                },
                keeps="Nothing of the data set is kept, except an uploaded file.",
            )
        )
        register(
            RunKind(
                name="predictor",
                steps={
                    "predictor.propose": "search.steps.predictor.propose",
                    "predictor.train": "search.steps.predictor.train_sample",
                    "predictor.fit": "search.steps.predictor.fit",
                },
                keeps="Every training that has finished is kept and can be used by the next predictor.",
                can_stop_early=True,
                given_up={"predictor.train": "search.steps.predictor.record_lost_training"},
                begin_again="search.services.predictors.begin_again",
            )
        )
        register(
            RunKind(
                name="search",
                steps={"search.generations": "search.steps.evolution.run_generations"},
                keeps="The generations so far stay on the search's page; no candidates are offered.",
            )
        )
        register(
            RunKind(
                name="cost_predictor",
                steps={
                    "cost.propose": "search.steps.cost.propose",
                    "cost.measure": "devices.network_steps.measure",
                    "cost.prepare": "devices.network_steps.prepare",
                    "cost.fit": "search.steps.cost.fit",
                },
                keeps="The measurements are kept; no predictor is fitted to them.",
                can_stop_early=True,
            )
        )
        register(
            RunKind(
                name="model",
                steps={
                    "model.train": "search.steps.model.train_model",
                    "model.export": "search.steps.model.export_model",
                },
                keeps="The learning curve so far is kept; no file is offered.",
            )
        )
        register(
            RunKind(
                name="probe",
                steps={"probe.time": "search.steps.probe.time_steps"},
                keeps="Nothing.",
                notifies=False,
            )
        )
        register(
            RunKind(
                name="timing",
                steps={
                    "timing.begin": "search.steps.timing.begin",
                    "timing.finish": "search.steps.timing.finish",
                },
                keeps="Nothing: the model is as it was.",
            )
        )
        register(
            RunKind(
                name="study",
                steps={
                    "study.advance": "search.steps.study.advance",
                    "study.trial": "search.steps.study.trial",
                },
                keeps="The table, searches and models that were finished are kept.",
                given_up={"study.trial": "search.steps.study.lose_trial"},
                begin_again="search.services.studies.begin_again",
            )
        )
        register(
            RunKind(
                name="quickstart",
                steps={"quickstart.advance": "search.steps.quickstart.advance"},
                begin_again="search.services.quickstart.begin_again",
                keeps="The device, tables, predictors and models that were finished are kept.",
            )
        )
