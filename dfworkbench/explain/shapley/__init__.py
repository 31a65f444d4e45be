"""Shapley values with error bars: which cells of a picture a detector's output comes from.

Shapley: A Value for n-Person Games. Contributions to the Theory of Games II, 1953.

`maps.attribute` is the entry point: detector and picture in, map with error bars out. The layers below it: a game (`game`,
`image_game`) gives the worth of a coalition of cells; an estimator (`estimators`) evaluates it for random coalitions until a
`stopping.StopRule` is met, and yields a `result.Attribution`. Only `image_game`, `values` and `maps` need torch.
"""
