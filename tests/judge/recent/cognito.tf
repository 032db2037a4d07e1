resource "aws_cognito_user_pool" "people" {
  name                     = "people"
  mfa_configuration        = "OFF"
  auto_verified_attributes = ["email"]
  deletion_protection      = "INACTIVE"
  password_policy {
    minimum_length                   = 12
    require_lowercase                = true
    require_numbers                  = true
    require_symbols                  = true
    require_uppercase                = true
    temporary_password_validity_days = 7
  }
  admin_create_user_config {
    allow_admin_create_user_only = false
  }
  tags = { Name = "people", Team = "web" }
}

resource "aws_cognito_user_pool" "plain" {
  name = "plain"
}

resource "aws_cognito_user_pool_client" "web" {
  name                                 = "web"
  user_pool_id                         = aws_cognito_user_pool.people.id
  explicit_auth_flows                  = ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"]
  allowed_oauth_flows                  = ["code"]
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_scopes                 = ["openid", "email"]
  callback_urls                        = ["https://site.example.com/in"]
  logout_urls                          = ["https://site.example.com/out"]
  supported_identity_providers         = ["COGNITO"]
  refresh_token_validity               = 30
}

resource "aws_cognito_user_group" "editors" {
  name         = "editors"
  user_pool_id = aws_cognito_user_pool.people.id
  description  = "who edit"
  precedence   = 5
}

resource "aws_cognito_user_pool_domain" "people" {
  domain       = "people-example"
  user_pool_id = aws_cognito_user_pool.people.id
}

resource "aws_cognito_resource_server" "api" {
  identifier   = "https://api.example.com"
  name         = "api"
  user_pool_id = aws_cognito_user_pool.people.id
  scope {
    scope_name        = "read"
    scope_description = "reads"
  }
}

resource "aws_cognito_identity_provider" "google" {
  user_pool_id  = aws_cognito_user_pool.people.id
  provider_name = "Google"
  provider_type = "Google"
  provider_details = {
    authorize_scopes = "email"
    client_id        = "id"
    client_secret    = "secret"
  }
  attribute_mapping = { email = "email", username = "sub" }
}

resource "aws_cognito_user" "ann" {
  user_pool_id = aws_cognito_user_pool.people.id
  username     = "ann"
  attributes   = { email = "ann@example.com", email_verified = "true" }
}

resource "aws_cognito_user_in_group" "ann" {
  user_pool_id = aws_cognito_user_pool.people.id
  group_name   = aws_cognito_user_group.editors.name
  username     = aws_cognito_user.ann.username
}

resource "aws_cognito_identity_pool" "guests" {
  identity_pool_name               = "guests"
  allow_unauthenticated_identities = true
  allow_classic_flow               = false
  supported_login_providers        = { "graph.facebook.com" = "1" }
  tags                             = { Name = "guests" }
}
