//! Events as AWS writes them in JSON, so that a handler written for Lambda's events runs here.
