"""The program that measures a device, run on the device."""
