"""Files as everything here writes and reads them: whole or not at all, regular, and bounded."""
