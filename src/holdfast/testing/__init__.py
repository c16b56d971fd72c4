"""What programs that use Holdfast test with: the store conformance suite, clocks, every order."""
