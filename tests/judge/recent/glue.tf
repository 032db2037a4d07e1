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

resource "aws_glue_catalog_table" "orders" {
  name          = "orders"
  database_name = aws_glue_catalog_database.lake.name
  description   = "orders by day"
  table_type    = "EXTERNAL_TABLE"
  parameters    = { classification = "parquet" }
  partition_keys {
    name = "day"
    type = "string"
  }
  storage_descriptor {
    location      = "s3://lake/orders"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
      parameters            = { "serialization.format" = "1" }
    }
    columns {
      name = "id"
      type = "string"
    }
    columns {
      name = "total"
      type = "double"
    }
  }
}

resource "aws_glue_partition" "monday" {
  database_name    = aws_glue_catalog_database.lake.name
  table_name       = aws_glue_catalog_table.orders.name
  partition_values = ["2026-01-05"]
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

resource "aws_glue_schema" "order" {
  schema_name       = "order"
  registry_arn      = aws_glue_registry.schemas.arn
  data_format       = "AVRO"
  compatibility     = "BACKWARD"
  schema_definition = jsonencode({ type = "record", name = "order", fields = [{ name = "id", type = "string" }] })
}

resource "aws_glue_workflow" "daily" {
  name        = "daily"
  description = "runs once a day"
}

resource "aws_glue_trigger" "manual" {
  name = "manual"
  type = "ON_DEMAND"
  actions {
    job_name = aws_glue_job.nightly.name
  }
}

resource "aws_glue_connection" "warehouse" {
  name            = "warehouse"
  connection_type = "JDBC"
  connection_properties = {
    JDBC_CONNECTION_URL = "jdbc:postgresql://db.example.com/dwh"
    USERNAME            = "etl"
    PASSWORD            = "not-a-real-one"
  }
}

resource "aws_glue_security_configuration" "encrypted" {
  name = "encrypted"
  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "DISABLED"
    }
    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "DISABLED"
    }
    s3_encryption {
      s3_encryption_mode = "SSE-S3"
    }
  }
}

resource "aws_glue_resource_policy" "catalog" {
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "glue:GetTable"
      Principal = { AWS = "arn:aws:iam::210987654321:root" }
      Resource  = "arn:aws:glue:us-east-1:123456789012:*"
    }]
  })
}

resource "aws_glue_data_catalog_encryption_settings" "catalog" {
  data_catalog_encryption_settings {
    connection_password_encryption {
      return_connection_password_encrypted = false
    }
    encryption_at_rest {
      catalog_encryption_mode = "DISABLED"
    }
  }
}
