import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def rename_runs(apps, schema_editor):
    apps.get_model("runs", "Run").objects.filter(kind="energy_predictor").update(kind="cost_predictor")


class Migration(migrations.Migration):

    dependencies = [
        ("search", "0003_energy_groups_and_origins"),
        ("devices", "0004_network_measurements"),
        ("runs", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint("searchlimit", "limit_on_one_thing"),
        migrations.RemoveConstraint("searchlimit", "limit_once_per_energy"),
        migrations.RemoveConstraint("energypredictor", "energy_version_per_device"),
        migrations.RenameModel("EnergyPredictor", "CostPredictor"),
        migrations.RenameField("searchlimit", "energy", "cost"),
        migrations.RunPython(rename_runs, migrations.RunPython.noop),
        migrations.AddField(
            model_name='costpredictor',
            name='budget',
            field=models.PositiveIntegerField(help_text='Networks the sampler may ask for; null for an import.', null=True),
        ),
        migrations.AddField(
            model_name='costpredictor',
            name='facts',
            field=models.JSONField(default=dict, help_text="Of the meter: its resolution, idle power, and the repeats' spread."),
        ),
        migrations.AddField(
            model_name='costpredictor',
            name='quantity',
            field=models.CharField(choices=[('energy', 'Energy'), ('latency', 'Latency')], default='energy', max_length=8),
        ),
        migrations.AddField(
            model_name='search',
            name='timing',
            field=models.ForeignKey(help_text='Predicts the latency of a device that has no table, only whole networks measured.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='searches', to='search.costpredictor'),
        ),
        migrations.AlterField(
            model_name='costpredictor',
            name='device',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cost_predictors', to='devices.device'),
        ),
        migrations.AlterField(
            model_name='costpredictor',
            name='measurements',
            field=models.JSONField(default=list, help_text='[genes, value] of every network: mJ an image, or ms a call.'),
        ),
        migrations.AlterField(
            model_name='costpredictor',
            name='meter',
            field=models.CharField(help_text="What measured it, in the person's words.", max_length=120),
        ),
        migrations.AlterField(
            model_name='costpredictor',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cost_predictors', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='costpredictor',
            name='run',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='cost_predictor', to='runs.run'),
        ),
        migrations.AlterField(
            model_name='costpredictor',
            name='space',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cost_predictors', to='search.space'),
        ),
        migrations.AlterField(
            model_name='costpredictor',
            name='table',
            field=models.ForeignKey(help_text='Gives the latency that it is compared with; without one, multiply-adds stand in.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='cost_predictors', to='devices.latencytable'),
        ),
        migrations.AlterField(
            model_name='search',
            name='table',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='searches', to='devices.latencytable'),
        ),
        migrations.AddConstraint(
            model_name='costpredictor',
            constraint=models.UniqueConstraint(fields=('device', 'quantity', 'version'), name='cost_version_per_device'),
        ),
        migrations.AddConstraint(
            model_name='search',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('table__isnull', False), ('timing__isnull', True)), models.Q(('table__isnull', True), ('timing__isnull', False)), _connector='OR'), name='latency_from_one_thing'),
        ),
        migrations.AddConstraint(
            model_name='searchlimit',
            constraint=models.UniqueConstraint(fields=('search', 'cost'), name='limit_once_per_cost'),
        ),
        migrations.AddConstraint(
            model_name='searchlimit',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('cost__isnull', True), ('table__isnull', False)), models.Q(('cost__isnull', False), ('table__isnull', True)), _connector='OR'), name='limit_on_one_thing'),
        ),
    ]
