resource "aws_iam_role" "etl" {
  name = "etl"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "glue.amazonaws.com" } }]
  })
}

resource "aws_glue_catalog_database" "lake" {
  name        = "lake"
  description = "what the lake holds"
}

resource "aws_glue_job" "nightly" {
  name     = "nightly"
  role_arn = aws_iam_role.etl.arn
  command {
    script_location = "s3://scripts/nightly.py"
    python_version  = "3"
  }
  default_arguments = { "--job-language" = "python" }
  max_retries       = 1
  timeout           = 60
  tags              = { Team = "data" }
}

resource "aws_glue_crawler" "events" {
  name          = "events"
  database_name = aws_glue_catalog_database.lake.name
  role          = aws_iam_role.etl.arn
  s3_target {
    path = "s3://lake/events"
  }
  tags = { Team = "data" }
}

resource "aws_glue_registry" "schemas" {
  registry_name = "schemas"
}

resource "aws_glue_workflow" "daily" {
  name        = "daily"
  description = "runs once a day"
}
