"""File names in a data set's folders; no module outside `datasets/` spells them out.

labels/<set>/
    videos.csv     one row per file, see `tables.schemas`
    faces.parquet  one row per stored face tile
    splits.csv     video_id, group, split; training and scoring go by it, and people may edit it
    splits.json    how the splits were drawn
    source.json    the folder and layout that the set was extracted from, whether it is generated, and the settings of faces
    audit.json     what `DataSet.run_audit` found
extracted/<set>/   the face tiles
"""

VIDEOS, FACES, SPLITS_TABLE, SPLITS_RECORD = "videos.csv", "faces.parquet", "splits.csv", "splits.json"
SOURCE, AUDIT = "source.json", "audit.json"
FACE_SETTINGS = "faces"  # key in source.json, missing in sets extracted by older versions
