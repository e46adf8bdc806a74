from django.db import migrations, models


def forget(apps, schema_editor):
    """Keys are kept for a day only, and answers of old may hold what is told once."""
    apps.get_model("accounts", "OnceKey").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_access_tokens")]

    operations = [
        migrations.RunPython(forget, migrations.RunPython.noop, elidable=True),
        migrations.RemoveConstraint(model_name="oncekey", name="once_per_key"),
        migrations.RemoveField(model_name="oncekey", name="user"),
        migrations.AddField(
            model_name="oncekey",
            name="holder",
            field=models.CharField(
                default="", help_text="The person or the device's token that chose it.", max_length=40
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="oncekey",
            constraint=models.UniqueConstraint(fields=("team", "holder", "key"), name="once_per_key"),
        ),
    ]
