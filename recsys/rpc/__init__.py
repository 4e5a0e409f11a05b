"""Code generated from ``proto/`` by the package build; `make proto` writes it again."""
