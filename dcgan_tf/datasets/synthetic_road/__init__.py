"""The data set `synthetic_road`: dashcam frames that are drawn, with their steering angles.

A set consists of drives of 40 frames. A frame comes about in this order:

1. `drawing.draw_set` hands the drives to worker processes and writes frames and angles as a data set.
2. `place` draws what kind of place a drive leads through: time of day, cross-section of the road, what is beside it.
3. `ground.MapMaker` fills a map of the place: soil, slopes, sea, plants, houses, barriers, the road, light and shadow.
4. `objects` distributes trees, posts, signs and cars, whose pictures `sprites` draws; `light.draw_sky` draws the sky.
5. `drive.make_drive` joins these with the course of the road; `drive.compute_view` places the camera on it.
6. `scene.draw_frame` crops the sky, finds the ground under each pixel, colours it (`surface`), pastes the objects, and
   applies the camera's blur, vignette and noise (`light.apply_camera`).

A frame depends only on the seed and its index. The steering angle is proportional to the curvature of the road ahead.
"""
