"""What has recorded the curves of many tiny networks beside it: an archive, which no benchmark imports."""
