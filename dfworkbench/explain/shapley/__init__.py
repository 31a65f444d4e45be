"""Which cells of a picture a detector's answer comes from: Shapley values with error bars.

Shapley: A Value for n-Person Games. Contributions to the Theory of Games II, 1953.

`maps.attribute` is the call for users: detector and picture in, map with error bars out. Below it, in this order: a game
(`game`, `image_game`) says what a coalition of cells is worth, an estimator (`estimators`) asks it about random coalitions
until a `stopping.StopRule` is met, and gives a `result.Attribution`. Only `image_game`, `values` and `maps` need torch.
"""
