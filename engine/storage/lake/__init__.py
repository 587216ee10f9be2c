"""The lake: bars as Parquet files by symbol and time, in a local folder or an S3 bucket."""
