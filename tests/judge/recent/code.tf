resource "aws_iam_role" "build" {
  name = "build"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = ["codebuild.amazonaws.com", "codedeploy.amazonaws.com"] } }]
  })
}

resource "aws_iam_role" "pipe" {
  name = "pipe"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "codepipeline.amazonaws.com" } }]
  })
}

resource "aws_s3_bucket" "artifacts" {
  bucket = "code-artifacts"
}

resource "aws_codebuild_project" "site" {
  name         = "site"
  description  = "builds the site"
  service_role = aws_iam_role.build.arn
  artifacts {
    type = "NO_ARTIFACTS"
  }
  environment {
    compute_type = "BUILD_GENERAL1_SMALL"
    image        = "aws/codebuild/standard:7.0"
    type         = "LINUX_CONTAINER"
    environment_variable {
      name  = "STAGE"
      value = "prod"
    }
  }
  source {
    type     = "S3"
    location = "code-artifacts/src.zip"
  }
  tags = { Name = "site" }
}

resource "aws_codecommit_repository" "site" {
  repository_name = "site"
  description     = "the site"
}

resource "aws_codedeploy_app" "site" {
  name             = "site"
  compute_platform = "Server"
  tags             = { Name = "site", Team = "web" }
}

resource "aws_codedeploy_deployment_group" "blue" {
  app_name              = aws_codedeploy_app.site.name
  deployment_group_name = "blue"
  service_role_arn      = aws_iam_role.build.arn
  tags                  = { Name = "blue" }
}

resource "aws_codepipeline" "site" {
  name     = "site"
  role_arn = aws_iam_role.pipe.arn
  artifact_store {
    location = aws_s3_bucket.artifacts.bucket
    type     = "S3"
  }
  stage {
    name = "Source"
    action {
      name             = "Source"
      category         = "Source"
      owner            = "AWS"
      provider         = "CodeCommit"
      version          = "1"
      output_artifacts = ["src"]
      configuration    = { RepositoryName = "site", BranchName = "main" }
    }
  }
  stage {
    name = "Build"
    action {
      name             = "Build"
      category         = "Build"
      owner            = "AWS"
      provider         = "CodeBuild"
      version          = "1"
      input_artifacts  = ["src"]
      output_artifacts = ["site"]
      configuration    = { ProjectName = "site" }
    }
  }
  tags = { Name = "site", Team = "web" }
}
