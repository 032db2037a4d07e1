resource "aws_acm_certificate" "site" {
  domain_name               = "site.example.com"
  subject_alternative_names = ["www.site.example.com"]
  validation_method         = "DNS"
  tags                      = { Name = "site", Team = "web" }
}

resource "aws_acm_certificate" "mail" {
  domain_name       = "mail.example.com"
  validation_method = "EMAIL"
}

resource "aws_acmpca_certificate_authority" "root" {
  type = "ROOT"
  certificate_authority_configuration {
    key_algorithm     = "RSA_2048"
    signing_algorithm = "SHA256WITHRSA"
    subject {
      common_name  = "root.example.com"
      organization = "Example"
    }
  }
  permanent_deletion_time_in_days = 7
  tags                            = { Name = "root", Team = "trust" }
}

resource "aws_acmpca_certificate_authority" "issuing" {
  certificate_authority_configuration {
    key_algorithm     = "RSA_4096"
    signing_algorithm = "SHA512WITHRSA"
    subject {
      common_name = "issuing.example.com"
    }
  }
}

resource "aws_acmpca_certificate" "root" {
  certificate_authority_arn   = aws_acmpca_certificate_authority.root.arn
  certificate_signing_request = aws_acmpca_certificate_authority.root.certificate_signing_request
  signing_algorithm           = "SHA256WITHRSA"
  template_arn                = "arn:aws:acm-pca:::template/RootCACertificate/V1"
  validity {
    type  = "YEARS"
    value = 10
  }
}

resource "aws_acmpca_certificate_authority_certificate" "root" {
  certificate_authority_arn = aws_acmpca_certificate_authority.root.arn
  certificate               = aws_acmpca_certificate.root.certificate
  certificate_chain         = aws_acmpca_certificate.root.certificate_chain
}

resource "aws_acmpca_policy" "shared" {
  depends_on   = [aws_acmpca_certificate_authority_certificate.root]
  resource_arn = aws_acmpca_certificate_authority.root.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "share"
      Effect    = "Allow"
      Principal = { AWS = "123456789012" }
      Action    = ["acm-pca:DescribeCertificateAuthority", "acm-pca:ListTags"]
      Resource  = aws_acmpca_certificate_authority.root.arn
    }]
  })
}
