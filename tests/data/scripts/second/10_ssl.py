server = smtplib.SMTP_SSL("smtp.gmail.com", 465)
