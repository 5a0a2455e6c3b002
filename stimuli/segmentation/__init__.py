"""From frames to the mask of one person: weights, network, tracking, smoothing, quality."""
