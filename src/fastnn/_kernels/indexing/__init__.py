"""Taking elements by their places: rows, weighted neighbours, elements of columns; places."""
