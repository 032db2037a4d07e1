resource "aws_dynamodb_table" "orders" {
  name           = "orders"
  hash_key       = "id"
  range_key      = "day"
  read_capacity  = 5
  write_capacity = 5
  attribute {
    name = "id"
    type = "S"
  }
  attribute {
    name = "day"
    type = "N"
  }
  attribute {
    name = "mail"
    type = "S"
  }
  global_secondary_index {
    name            = "by-mail"
    hash_key        = "mail"
    range_key       = "day"
    projection_type = "ALL"
    read_capacity   = 5
    write_capacity  = 5
  }
}

resource "aws_dynamodb_table" "each" {
  for_each     = toset(["a", "b"])
  name         = "table-${each.key}"
  hash_key     = "id"
  billing_mode = "PAY_PER_REQUEST"
  attribute {
    name = "id"
    type = "S"
  }
}

resource "aws_dynamodb_table_item" "one" {
  table_name = aws_dynamodb_table.each["a"].name
  hash_key   = aws_dynamodb_table.each["a"].hash_key
  item       = jsonencode({ id = { S = "one" }, n = { N = "1" } })
}
