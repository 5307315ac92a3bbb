"""Data sets, preprocessing, augmentation and batching; needs NumPy alone (and Pillow for images)."""
