smtplib.SMTP("smtp.gmail.com")
