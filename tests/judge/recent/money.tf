resource "aws_account_alternate_contact" "billing" {
  alternate_contact_type = "BILLING"
  name                   = "Bill"
  title                  = "CFO"
  email_address          = "bill@example.com"
  phone_number           = "+15550100"
}

resource "aws_account_alternate_contact" "operations" {
  alternate_contact_type = "OPERATIONS"
  name                   = "Olga"
  title                  = "CTO"
  email_address          = "olga@example.com"
  phone_number           = "+15550101"
}

resource "aws_budgets_budget" "month" {
  name         = "month"
  budget_type  = "COST"
  limit_amount = "100"
  limit_unit   = "USD"
  time_unit    = "MONTHLY"
}

resource "aws_budgets_budget" "plain" {
  name         = "plain"
  budget_type  = "COST"
  limit_amount = "50"
  limit_unit   = "USD"
  time_unit    = "MONTHLY"
}

resource "aws_ce_cost_category" "stage" {
  name         = "stage"
  rule_version = "CostCategoryExpression.v1"
  rule {
    value = "prod"
    rule {
      dimension {
        key           = "LINKED_ACCOUNT_NAME"
        values        = ["-prod"]
        match_options = ["ENDS_WITH"]
      }
    }
  }
  tags = { Name = "stage" }
}
