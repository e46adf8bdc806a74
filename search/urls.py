from __future__ import annotations

from django.urls import path

from search.views import costs, datasets, models, overview, predictors, recipes, searches, studies, tables

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("quickstart/", overview.quickstart_new, name="quickstart"),
    path("quickstart/<uuid:run_id>/", overview.quickstart_page, name="quickstart-run"),
    path("runs/<uuid:run_id>/", overview.run_page, name="run"),
    path("devices/<uuid:device_id>/", tables.device_page, name="device"),
    path("devices/<uuid:device_id>/tables/new/", tables.table_new, name="table-new"),
    path("devices/<uuid:device_id>/costs/new/", costs.cost_new, name="cost-new"),
    path("tables/<uuid:table_id>/spaces/", tables.table_spaces, name="table-spaces"),
    path("tables/<uuid:table_id>/complete/", tables.table_complete, name="table-complete"),
    path("costs/<uuid:cost_id>/", costs.cost_page, name="cost"),
    path("datasets/", datasets.dataset_list, name="datasets"),
    path("datasets/new/", datasets.dataset_new, name="dataset-new"),
    path("datasets/built-in/<slug:name>/", datasets.dataset_inspect, name="dataset-inspect"),
    path("datasets/<uuid:dataset_id>/", datasets.dataset_page, name="dataset"),
    path("datasets/<uuid:dataset_id>/remove/", datasets.dataset_remove, name="dataset-remove"),
    path(
        "datasets/<uuid:dataset_id>/samples/<int:index>.png", datasets.dataset_samples, name="dataset-samples"
    ),
    path("uploads/", datasets.uploads, name="uploads"),
    path("uploads/<uuid:upload_id>/", datasets.upload, name="upload"),
    path("uploads/<uuid:upload_id>/drop/", datasets.upload_drop, name="upload-drop"),
    path("predictors/", predictors.predictor_list, name="predictors"),
    path("predictors/new/", predictors.predictor_new, name="predictor-new"),
    path("predictors/import/", predictors.predictor_import, name="predictor-import"),
    path("predictors/<uuid:predictor_id>/", predictors.predictor_page, name="predictor"),
    path("predictors/<uuid:predictor_id>/samples.csv", predictors.predictor_csv, name="predictor-csv"),
    path("predictors/<uuid:predictor_id>/refit/", predictors.predictor_refit, name="predictor-refit"),
    path("searches/", searches.search_list, name="searches"),
    path("searches/new/", searches.search_new, name="search-new"),
    path("searches/<uuid:search_id>/", searches.search_page, name="search"),
    path("searches/<uuid:search_id>/front/", searches.front_keep, name="front-keep"),
    path("searches/<uuid:search_id>/candidates.csv", searches.search_csv, name="search-csv"),
    path("candidates/<uuid:candidate_id>/", searches.candidate_page, name="candidate"),
    path("candidates/<uuid:candidate_id>/train/", searches.model_new, name="model-new"),
    path("studies/", studies.study_list, name="studies"),
    path("studies/new/", studies.study_new, name="study-new"),
    path("studies/<uuid:study_id>/", studies.study_page, name="study"),
    path("studies/<uuid:study_id>/study.csv", studies.study_csv, name="study-csv"),
    path("recipes/", recipes.recipe_list, name="recipes"),
    path("recipes/new/", recipes.recipe_new, name="recipe-new"),
    path("recipes/<slug:recipe_id>/", recipes.recipe_page, name="recipe"),
    path("models/", models.model_list, name="models"),
    path("models/<uuid:model_id>/", models.model_page, name="model"),
    path("models/<uuid:model_id>/file/", models.model_file, name="model-file"),
    path("models/<uuid:model_id>/card/", models.model_card, name="model-card"),
]
