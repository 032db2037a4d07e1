resource "aws_athena_workgroup" "analysts" {
  name        = "analysts"
  description = "of the analysts"
  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    result_configuration {
      output_location = "s3://results/analysts/"
    }
  }
  tags = { Name = "analysts", Team = "data" }
}

resource "aws_athena_workgroup" "spare" {
  name = "spare"
  tags = { Name = "spare" }
}

resource "aws_athena_named_query" "top" {
  name      = "top"
  workgroup = aws_athena_workgroup.analysts.id
  database  = "shop"
  query     = "SELECT 1"
}

resource "aws_athena_data_catalog" "outside" {
  name        = "outside"
  description = "outside"
  type        = "LAMBDA"
  parameters  = { function = "arn:aws:lambda:us-east-1:123456789012:function:x" }
  tags        = { Name = "outside" }
}

resource "aws_athena_prepared_statement" "one" {
  name            = "one"
  workgroup       = aws_athena_workgroup.analysts.name
  query_statement = "SELECT * FROM t WHERE id = ?"
}
