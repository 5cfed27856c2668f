//! Scaling on depth: from metrics, state and time to the number of workers that there should be; pure.
