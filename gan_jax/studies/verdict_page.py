def write_page(study, seconds): return f'{seconds}'
