"""What serving computes: bundles, scoring and top-k on the device, reranking."""
