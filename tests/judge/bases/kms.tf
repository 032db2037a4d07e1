resource "aws_kms_key" "main" {
  description             = "main"
  enable_key_rotation     = false
  deletion_window_in_days = 7
  tags                    = { Env = "prod" }
}

resource "aws_kms_key" "old" {
  description = "old"
}

resource "aws_kms_alias" "main" {
  name          = "alias/main"
  target_key_id = aws_kms_key.main.key_id
}
