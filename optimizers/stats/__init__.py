"""The certificate, and the evidence that an artifact keeps."""
