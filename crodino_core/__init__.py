"""Segmentation that survives the loss of a sensor: everything that needs no ROS."""

__version__ = '0.1.0'
