from __future__ import annotations

from django.urls import path

from devices import views

urlpatterns = [
    path("devices/", views.device_list, name="devices"),
    path("devices/new/", views.device_new, name="device-new"),
    path("tables/<uuid:table_id>/", views.table_page, name="table"),
    path("tables/<uuid:table_id>/operators.csv", views.table_csv, name="table-csv"),
]
