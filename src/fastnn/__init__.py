"""fastnn trains convolutional nets and MLPs on CPUs: fast, in a memory budget, exactly."""
