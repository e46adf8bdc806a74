import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('devices', '0001_initial'),
        ('runs', '0001_initial'),
        ('search', '0002_limits_front_and_stops'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RenameField("searchlimit", "latency_limit_ms", "maximum"),
        migrations.AddField(
            model_name='candidate',
            name='file_bytes',
            field=models.BigIntegerField(default=0, help_text='Predicted size of the exported file.'),
        ),
        migrations.AddField(
            model_name='candidate',
            name='limits',
            field=models.JSONField(default=list, help_text='Of every limit: name, unit, maximum, predicted value, interval, chance.'),
        ),
        migrations.AddField(
            model_name='predictor',
            name='dataset_checksum',
            field=models.CharField(default='', max_length=64),
        ),
        migrations.AddField(
            model_name='predictor',
            name='origin',
            field=models.CharField(choices=[('built', 'Built here'), ('imported', 'Imported'), ('refitted', 'Fitted anew')], default='built', max_length=16),
        ),
        migrations.AddField(
            model_name='predictor',
            name='source',
            field=models.ForeignKey(help_text='A predictor of another data set or recipe whose opinion this one learns from.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='heirs', to='search.predictor'),
        ),
        migrations.AddField(
            model_name='search',
            name='group',
            field=models.UUIDField(db_index=True, help_text='Shared by the searches of one form, to be compared.', null=True),
        ),
        migrations.AddField(
            model_name='search',
            name='max_file_bytes',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='searchlimit',
            name='maximum',
            field=models.FloatField(help_text='Milliseconds of latency, millijoules of energy.'),
        ),
        migrations.AlterField(
            model_name='searchlimit',
            name='table',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='devices.latencytable'),
        ),
        migrations.CreateModel(
            name='EnergyPredictor',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('version', models.PositiveIntegerField()),
                ('meter', models.CharField(help_text="What measured the energy, in the person's words.", max_length=120)),
                ('measurements', models.JSONField(help_text='[genes, energy of one image in mJ] of every network.')),
                ('fitted', models.JSONField(null=True)),
                ('quality', models.JSONField(help_text='Held-out quality, and that of the baseline.', null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='energy_predictors', to='devices.device')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='energy_predictors', to=settings.AUTH_USER_MODEL)),
                ('run', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='energy_predictor', to='runs.run')),
                ('space', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='energy_predictors', to='search.space')),
                ('table', models.ForeignKey(help_text='Gives the latency that energy is compared with; without one, multiply-adds stand in.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='energy_predictors', to='devices.latencytable')),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.AddField(
            model_name='searchlimit',
            name='energy',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='search.energypredictor'),
        ),
        migrations.AddConstraint(
            model_name='searchlimit',
            constraint=models.UniqueConstraint(fields=('search', 'energy'), name='limit_once_per_energy'),
        ),
        migrations.AddConstraint(
            model_name='searchlimit',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('energy__isnull', True), ('table__isnull', False)), models.Q(('energy__isnull', False), ('table__isnull', True)), _connector='OR'), name='limit_on_one_thing'),
        ),
        migrations.AddConstraint(
            model_name='energypredictor',
            constraint=models.UniqueConstraint(fields=('device', 'version'), name='energy_version_per_device'),
        ),
    ]
