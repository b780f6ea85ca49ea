"""The application on AWS: plan, launch, release and audit its stack."""
