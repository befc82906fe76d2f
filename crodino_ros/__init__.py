"""The ROS 2 side: bags, messages, the command line and the nodes."""
