from __future__ import annotations

from django.urls import path

from devices import views

urlpatterns = [
    path("devices/", views.device_list, name="devices"),
    path("devices/new/", views.device_new, name="device-new"),
    path("tables/", views.table_list, name="tables"),
    path("tables/<uuid:table_id>/", views.table_page, name="table"),
    path("tables/<uuid:table_id>/compare/", views.table_compare, name="table-compare"),
    path("tables/<uuid:table_id>/export/<slug:file_format>/", views.table_export, name="table-export"),
    path("devices/<uuid:device_id>/tokens/new/", views.token_new, name="token-new"),
    path("tokens/<int:token_id>/revoke/", views.token_revoke, name="token-revoke"),
    path("agent/chamnet-agent.pyz", views.agent_program, name="agent-program"),
    path("devices/<uuid:device_id>/tables/import/", views.table_import, name="table-import"),
]
