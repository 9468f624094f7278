"""What tests share: helpers, samples, users, clocks."""
