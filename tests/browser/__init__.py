"""Tests that open the pages in Chromium."""
