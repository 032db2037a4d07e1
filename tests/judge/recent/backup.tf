resource "aws_kms_key" "vault" {
  description = "of the vault"
}

resource "aws_backup_vault" "main" {
  name        = "main"
  kms_key_arn = aws_kms_key.vault.arn
  tags        = { Name = "main", Team = "ops" }
}

resource "aws_backup_vault" "archive" {
  name = "archive"
}

resource "aws_backup_vault_lock_configuration" "archive" {
  backup_vault_name  = aws_backup_vault.archive.name
  min_retention_days = 7
  max_retention_days = 365
}

resource "aws_backup_plan" "daily" {
  name = "daily"
  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.main.name
    schedule          = "cron(0 12 * * ? *)"
    lifecycle {
      delete_after = 30
    }
  }
  tags = { Name = "daily" }
}

resource "aws_backup_report_plan" "jobs" {
  name        = "jobs"
  description = "what was saved"
  report_delivery_channel {
    formats        = ["CSV"]
    s3_bucket_name = "reports"
  }
  report_setting {
    report_template = "BACKUP_JOB_REPORT"
  }
  tags = { Name = "jobs" }
}
