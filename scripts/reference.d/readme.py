def write(fixtures, rows):
    pass
