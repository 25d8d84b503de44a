"""Terms of semi-supervised games."""



FORMS = ('k', 'k_plus_1')
