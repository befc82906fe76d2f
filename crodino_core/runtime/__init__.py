"""From frames to masks: health, arbitration, engines. No torch, no ROS, no wall clock."""
